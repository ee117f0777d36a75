"""Promises of the whole console, kept on every route there is: a new route is found by itself and fails until it keeps them."""
