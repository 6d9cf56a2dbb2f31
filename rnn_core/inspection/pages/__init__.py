"""HTML pages of one file each: the report about a model, and the worksheet."""
