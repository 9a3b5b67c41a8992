"""Evidence for and against a registration, measured without knowing the truth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """What is measured of the affine placement and of the final transform.

    `Registration.evidence` is one.

    Example:
        >>> import dataclasses
        >>> [field.name for field in dataclasses.fields(stainbridge.Evidence)][:3]
        ['overlap', 'sharpness', 'affine_score']

    """

    overlap: float
    """Share of the smaller tissue that lies on the other, under the affine placement."""
    sharpness: float
    """Standard deviations by which the placement beats displaced copies of itself."""
    affine_score: float
    """Verification score of the placement."""
    affine_share: float
    """Share of windows that fit best where they lie, under the placement."""
    affine_lead: float
    """By how much these windows prefer their own place, under the placement."""
    local_ncc: float
    """Local NCC under the final transform."""
    edges: float
    """Similarity of gradient fields under the final transform."""
    share: float
    """Share of windows that fit best where they lie, under the final transform."""
    lead: float
    """By how much these windows prefer their own place, under the final transform."""
    area_spread: float
    """Standard deviation of the logarithm of the final transform's area factor."""
    bend: float
    """Root mean square distance between placement and final transform ÷ the tissue's diagonal."""
    disagreement: float = float("nan")
    """Median distance between forward and backward registration ÷ the tissue's diagonal.

    Not a number where only one direction was run.
    """
    misfit: float = float("nan")
    """Share of the fixed tissue that would clearly fit better elsewhere.

    Not a number where it was not measured.
    """
    rival: float = float("nan")
    """Similarity at the best other place ÷ that at the placement's own.

    Not a number where it was not measured.
    """
    seam: float = float("nan")
    """Standard deviations by which tissue of either slide rather fits displaced along a cut.

    Not a number where it was not measured.
    """
