"""`python -m console.supervise`: sets the console up and runs all of it, broker and demo included, as one process tree."""
