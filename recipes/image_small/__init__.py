"""The recipe of `starter:image-small`."""
