"""What people look at: text, a page, pictures."""
