"""One framework a file; each defines ADAPTER. Adding a framework is adding a file here, its test, and a line in docs/queues.md."""
