"""Every error a user can cause, typed; the message names the row or field and what to do.

docs/pipelines.md lists what each status means for a row.
"""

__all__ = [
    "ChargeError", "CheckpointError", "ConformerError", "DistributionError", "ElementError", "FormulaError",
    "FragmentError", "InputError", "LimitError", "MismatchError", "MolscoreError", "OutputError", "OvertimeError",
    "ParseError", "PatternError", "PositionError", "RadicalError", "SizeError", "TooLargeError", "TooSmallError",
]  # fmt: skip


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


class PatternError(ParseError):
    """Dummy atoms, R-groups or queries: a pattern that many molecules fit, and not one molecule."""

    status = "pattern"


class MismatchError(MolscoreError):
    """A molecule without the SMARTS pattern that is asked for."""

    status = "no_match"


class PositionError(MolscoreError):
    """Positions that are missing, not finite, or of the wrong shape."""

    status = "bad_positions"


class ElementError(MolscoreError):
    """An element that the model was not trained on."""

    status = "unknown_element"


class SizeError(MolscoreError):
    """A number of atoms that no molecule here can have."""

    status = "bad_size"


class TooSmallError(SizeError):
    """Fewer than two atoms: there is no geometry to judge."""

    status = "too_small"


class TooLargeError(SizeError):
    """More atoms than the model has seen, or more characters, atoms or rings than RDKit is troubled with."""

    status = "too_large"


class FormulaError(MolscoreError):
    """A formula that does not parse or that no neutral closed-shell molecule can have."""

    status = "bad_formula"


class ChargeError(FormulaError):
    """A net charge; zwitterions have none."""

    status = "charged"


class RadicalError(FormulaError):
    """Unpaired electrons."""

    status = "radical"


class ConformerError(MolscoreError):
    """No conformer could be made."""

    status = "no_conformer"


class FragmentError(ConformerError):
    """Several pieces that no bond joins, such as a salt: there is no geometry for them together."""

    status = "fragments"


class OvertimeError(ConformerError):
    """No conformer could be made in the time allowed."""

    status = "timed_out"


class DistributionError(MolscoreError):
    """A distribution that the model does not hold."""

    status = "unknown_distribution"


class LimitError(MolscoreError):
    """More rows, time or memory than a job is allowed."""

    status = "over_limit"


class CheckpointError(MolscoreError):
    """A checkpoint that is missing, corrupt or of another kind."""

    status = "bad_checkpoint"
