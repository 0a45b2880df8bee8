"""Which changes of the program do the tests notice? `make mutants` makes one change at a time and runs them."""
