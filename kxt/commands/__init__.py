"""The commands, a module for what belongs together."""

from importlib import import_module

import typer

from kxt.app import app

_MODULES = ("sending", "importing", "asking", "mending", "stopping", "optouts", "account", "doctor", "console")
"""In the order in which the help lists their commands."""


def everything() -> typer.Typer:
    """Return the application with all its commands."""
    for module in _MODULES:
        import_module(f"kxt.commands.{module}")
    return app
