"""Fetching a model's folder from the Hugging Face hub, or from its local cache. The only file that imports its client.

Only the files that are read are fetched: configuration, safetensors, tokenizer. Never pickles, never code.
"""

import errno
import re
from pathlib import Path
from typing import Final

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from headstart.backbones._hashes import check_sha256
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
    "spm.model",
    "sentencepiece.bpe.model",
    "sentence_bert_config.json",
    "preprocessor_config.json",
    "modules.json",
    "*_*/config.json",
]

# What the client tells, the special before the general.
ANSWERS: Final = {
    HFValidationError: ("not the name of a hub repository", "Write hf:org/model."),
    GatedRepoError: (
        "the repository asks for agreement to its terms",
        "Accept its terms at https://huggingface.co/{repository}, then type: hf auth login",
    ),
    RevisionNotFoundError: ("the repository has no such revision", "Leave out @REVISION."),
    RepositoryNotFoundError: (
        "the hub has no such repository",
        "Check the spelling; for a private one type: hf auth login",
    ),
}


def fetch(repository: str, *, revision: str | None = None, offline: bool = False) -> Path:
    """Bring a repository's files into the local cache.

    Args:
        repository: ``org/model``.
        revision: Branch, tag or commit; the default branch where None.
        offline: Use what is in the cache and open no connection.

    Returns:
        The folder.

    Raises:
        BackboneError: The repository is unknown or closed, has no safetensors, or cannot be reached; or a file is not
            what the hub says it is.
    """
    where = f"{repository}@{revision}" if revision else repository
    try:
        folder = huggingface_hub.snapshot_download(
            repository, revision=revision, allow_patterns=FILES, local_files_only=offline
        )
    # Its versions let the errors of three HTTP libraries, of JSON and of compiled parts through.
    except Exception as error:
        raise _told(error, repository, where=where, offline=offline) from error
    return _complete(Path(folder), where=where, offline=offline)


def _told(error: Exception, repository: str, *, where: str, offline: bool) -> BackboneError:
    """Tell what the hub, its client, the network or the disk answered."""
    for kind, (problem, fix) in ANSWERS.items():
        if isinstance(error, kind):
            return BackboneError(problem, where=where, fix=fix.format(repository=repository))
    if isinstance(error, LocalEntryNotFoundError):
        return _not_here(where, offline=offline, cause=error.__cause__)
    if isinstance(error, HfHubHTTPError):
        return _refused(error, where)
    if isinstance(error, OSError) and (error.filename or error.errno in (errno.ENOSPC, errno.EDQUOT)):
        cache = constants.HF_HUB_CACHE
        fix = "Free space there, or set HF_HOME to another folder."
        return BackboneError(f"the hub's cache cannot be written ({error.strerror})", where=cache, fix=fix)
    fix = "Try again later; what is in the local cache loads with --offline."
    return BackboneError(f"the hub did not answer as it should ({_short(error)})", where=where, fix=fix)


def _not_here(where: str, *, offline: bool, cause: BaseException | None = None) -> BackboneError:
    """Say that the cache has not all of it, and why the hub was not asked or could not help."""
    if offline:
        return BackboneError("not in the local cache", where=where, fix="Load it once without --offline.")
    if isinstance(cause, OfflineModeIsEnabled):
        fix = "Load it once with HF_HUB_OFFLINE unset."
        return BackboneError("not in the local cache, and HF_HUB_OFFLINE is set", where=where, fix=fix)
    if isinstance(cause, HfHubHTTPError):
        return _refused(cause, where)
    fix = "Check the connection, or use a starter: or dir: backbone."
    return BackboneError("the hub cannot be reached, and the model is not in the local cache", where=where, fix=fix)


def _refused(error: HfHubHTTPError, where: str) -> BackboneError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    fix = "Check the name and your token (hf auth login)." if status in (401, 403) else "Try again later."
    return BackboneError(f"the hub answered with an error ({_short(error)})", where=where, fix=fix)


def _short(error: Exception) -> str:
    """Give the kind and the first line; what the hub's client says goes on for paragraphs."""
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])


def _complete(folder: Path, *, where: str, offline: bool) -> Path:
    """Check that what came is enough to load, and is what the hub says it is."""
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
    _check_files(folder)
    return folder


def _check_files(folder: Path) -> None:
    """Compare large files with the SHA-256 under which the hub keeps them; over HTTP its client compares sizes only.

    The client stores a file under that hash and links to it, except where links are not possible (Windows, mostly).
    """
    for path in sorted({path for pattern in FILES for path in folder.glob(pattern) if path.is_symlink()}):
        # One step only: what is stored may itself be a link, into a store for all repositories.
        stored_as = path.readlink().name
        if re.fullmatch("[0-9a-f]{64}", stored_as):
            check_sha256(path, stored_as, fix=f"Delete {path.resolve()} and load it again.")
