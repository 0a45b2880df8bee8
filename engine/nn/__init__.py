"""What a network is: its layers, their parameters in one vector, and how an optimizer changes them."""
