"""All commands of ``kxt``, in the order in which its help lists them."""

import typer

from kxt.words import both

app = typer.Typer(
    name="kxt",
    help=both(
        "Send SMS through 快信通3, and see what became of them.\n\n"
        "\b\n"
        "  kxt send 13708600860 --text '您的验证码是 123456' --category otp --wait\n"
        "  kxt show order-4711\n"
        "  kxt import people.csv --text '{name}，您好' --campaign spring-2026",
        "通过快信通3发送短信，并查看结果。\n\n"
        "\b\n"
        "  kxt send 13708600860 --text '您的验证码是 123456' --category otp --wait\n"
        "  kxt show order-4711\n"
        "  kxt import people.csv --text '{name}，您好' --campaign spring-2026",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def group(name: str, english: str, chinese: str) -> typer.Typer:
    """Return a new group of commands."""
    made = typer.Typer(help=both(english, chinese), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(made, name=name)
    return made
