"""What is public, as griffe reads it from the sources; nothing is imported for it."""

from functools import cache

import griffe

from distribution import PUBLIC, ROOT


@cache
def public_modules() -> tuple[griffe.Module, ...]:
    """Return the public modules, in the order of `PUBLIC`."""
    loader = griffe.GriffeLoader(
        search_paths=[ROOT], allow_inspection=False, docstring_parser=griffe.Parser.google
    )
    # In the order of the arrows between them, so that every name is known when it is met.
    for package in ("lambda_src", "stacks", "local", "conformance", "ai_multi_comms"):
        loader.load(package)
    loader.resolve_aliases(external=False)
    return tuple(loader.modules_collection[path] for path in PUBLIC)


@cache
def public_members() -> tuple[tuple[str, griffe.Object], ...]:
    """Return what the public modules list as `__all__`, by the path that it is imported from."""
    return tuple(
        (f"{module.path}.{name}", module[str(name)].final_target)
        for module in public_modules()
        for name in module.exports or []
    )


def own_members(owner: griffe.Object) -> list[griffe.Object]:
    """Return a class's public members, without what is inherited."""
    members = owner.members.values() if owner.is_class else []
    return [m for m in members if isinstance(m, griffe.Object) and not m.name.startswith("_")]
