"""What may be shown of a mobile."""


def masked(mobile: str) -> str:
    """Return a mobile as logs may show it: ``138****0860``; anything too short to stay anonymous is all stars."""
    return f"{mobile[:3]}****{mobile[-4:]}" if len(mobile) >= 11 else "****"
