"""What an upgrade gained: alpha and beta, with honest intervals."""

from analytics.gain.closer import as_details, look_closer
from analytics.gain.estimate import fit
from analytics.gain.events import without
from analytics.gain.one_line import alone, fit_one
from analytics.gain.statement import as_answer

__all__ = ["alone", "as_answer", "as_details", "fit", "fit_one", "look_closer", "without"]
