"""What may be shown of a mobile."""

import re

_MOBILE = re.compile(r"1[0-9]{10}")


def masked(mobile: str) -> str:
    """Return a mobile as logs may show it: ``138****0860``; anything too short to stay anonymous is all stars."""
    return f"{mobile[:3]}****{mobile[-4:]}" if len(mobile) >= 11 else "****"


def mask_all(text: str) -> str:
    """Return a text with every mobile in it masked: an id is the user's, and may be made of one."""
    return _MOBILE.sub(lambda found: masked(found[0]), text)
