"""Tasks: what is predicted, how labels become numbers and numbers become labels again."""

from headstart.tasks.classification import Classification

__all__ = ["Classification"]
