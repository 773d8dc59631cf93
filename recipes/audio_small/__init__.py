"""How `starter:audio-small` was pretrained."""
