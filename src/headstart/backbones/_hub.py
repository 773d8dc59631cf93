"""Fetching a model's folder from the Hugging Face hub, or from its local cache. The only file that imports its client.

Only the files that are read are fetched: configuration, safetensors, tokenizer. Never pickles, never code.
"""

from pathlib import Path
from typing import Final

import huggingface_hub
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from headstart.errors import BackboneError

FILES: Final = [
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentence_bert_config.json",
    "modules.json",
    "*_*/config.json",
]


def fetch(repository: str, *, revision: str | None = None, offline: bool = False) -> Path:
    """Bring a repository's files into the local cache.

    Args:
        repository: ``org/model``.
        revision: Branch, tag or commit; the default branch where None.
        offline: Use what is in the cache and open no connection.

    Returns:
        The folder.

    Raises:
        BackboneError: The repository is unknown or closed, has no safetensors, or cannot be reached.
    """
    where = f"{repository}@{revision}" if revision else repository
    try:
        folder = huggingface_hub.snapshot_download(
            repository, revision=revision, allow_patterns=FILES, local_files_only=offline
        )
    except HFValidationError as error:
        raise BackboneError("not the name of a hub repository", where=where, fix="Write hf:org/model.") from error
    except GatedRepoError as error:
        fix = f"Accept its terms at https://huggingface.co/{repository}, then type: hf auth login"
        raise BackboneError("the repository asks for agreement to its terms", where=where, fix=fix) from error
    except RevisionNotFoundError as error:
        raise BackboneError("the repository has no such revision", where=where, fix="Leave out @REVISION.") from error
    except RepositoryNotFoundError as error:
        fix = "Check the spelling; for a private one type: hf auth login"
        raise BackboneError("the hub has no such repository", where=where, fix=fix) from error
    except LocalEntryNotFoundError as error:
        raise _not_here(where, offline=offline) from error
    except (HfHubHTTPError, OSError) as error:
        raise BackboneError(f"the hub did not answer ({error})", where=where, fix="Try again later.") from error
    return _complete(Path(folder), where=where, offline=offline)


def _not_here(where: str, *, offline: bool) -> BackboneError:
    if offline:
        return BackboneError("not in the local cache", where=where, fix="Load it once without --offline.")
    fix = "Check the connection, or use a starter: or dir: backbone."
    return BackboneError("the hub cannot be reached, and the model is not in the local cache", where=where, fix=fix)


def _complete(folder: Path, *, where: str, offline: bool) -> Path:
    """Check that what came is enough to load."""
    if not (folder / "config.json").is_file() and offline:
        raise _not_here(where, offline=offline)
    if not any(folder.glob("*.safetensors")):
        if offline:
            raise _not_here(where, offline=offline)
        raise BackboneError(
            "the repository has no safetensors weights, and pickled ones can run code when they are read",
            where=where,
            fix="Choose another, or convert it yourself and load it with dir:.",
        )
    return folder
