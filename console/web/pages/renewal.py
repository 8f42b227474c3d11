"""A renewal: how much of what serves the generation of the new model has, and what can be done."""

from flask import Blueprint, render_template
from receipt_dynamo_stream.generations import collection_of, number_of

from console.web.site import seen, site

page = Blueprint("renewal", __name__, url_prefix="/renewal")


@page.get("/<collection>")
def show(collection: str) -> str:
    """Of a collection, also when the address has a generation's name. Raises CollectionNotFound."""
    stack = site().stack
    collection = collection_of(stack.collections.known(collection))
    found = seen(("renewal", collection), 4, lambda: stack.renewing.stands(collection))
    return render_template(
        "renewal.html",
        found=found,
        beside=found.of(found.beside) if found.beside else None,
        is_back=found.beside is not None and number_of(found.beside) < number_of(found.serving),
        live=5 if found.beside else None,
    )
