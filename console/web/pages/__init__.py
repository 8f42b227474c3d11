"""One module per page of the console, each a Flask blueprint with its own templates."""
