"""The pages, one module each: every one answers one question and has an address of its own."""
