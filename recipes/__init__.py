"""How what ships pretrained was made; see README.md."""
