"""Every error a user can cause, typed; the message names the row or field and what to do."""

__all__ = [
    "CheckpointError",
    "ConformerError",
    "DistributionError",
    "ElementError",
    "FormulaError",
    "InputError",
    "LimitError",
    "MolscoreError",
    "OutputError",
    "ParseError",
    "PositionError",
    "SizeError",
]


class MolscoreError(Exception):
    """Base of all errors that molscore raises on purpose.

    ``status`` is the short reason that a row of a ranking carries.
    """

    status = "error"


class InputError(MolscoreError):
    """A file, column, option or configuration that cannot be used."""

    status = "bad_input"


class OutputError(MolscoreError):
    """A result that cannot be written where it was asked for."""

    status = "bad_output"


class ParseError(MolscoreError):
    """A SMILES string or a file record that is not a molecule."""

    status = "unparsable"


class PositionError(MolscoreError):
    """Positions that are missing, not finite, or of the wrong shape."""

    status = "bad_positions"


class ElementError(MolscoreError):
    """An element that the model was not trained on."""

    status = "unknown_element"


class SizeError(MolscoreError):
    """A molecule with too few or too many atoms for the model."""

    status = "bad_size"


class FormulaError(MolscoreError):
    """A formula that does not parse or that no neutral closed-shell molecule can have."""

    status = "bad_formula"


class ConformerError(MolscoreError):
    """No conformer could be made in the time allowed."""

    status = "no_conformer"


class DistributionError(MolscoreError):
    """A distribution that the model does not hold."""

    status = "unknown_distribution"


class LimitError(MolscoreError):
    """More rows, time or memory than a job is allowed."""

    status = "over_limit"


class CheckpointError(MolscoreError):
    """A checkpoint that is missing, corrupt or of another kind."""

    status = "bad_checkpoint"
