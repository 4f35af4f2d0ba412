"""Whether an answer is what the SDK's own types say: every field known, every required field there, every value of
one of the stated types."""

import types
import typing

import stripe


class Complaints(list):
    def add(self, place, what):
        self.append(f"{place}: {what}")


def check(value, cls, place, complaints):
    """Compares one object with the annotations of its class."""
    hints = {}
    for base in reversed(cls.__mro__):
        for name, hint in getattr(base, "__annotations__", {}).items():
            if typing.get_origin(hint) is not typing.ClassVar and not name.startswith("_") and not name.isupper():
                hints[name] = hint
    for name in value.to_dict(recursive=False):
        if name not in hints:
            complaints.add(f"{place}.{name}", "the SDK knows no such field")
    for name, hint in hints.items():
        if name in ("deleted", "lastResponse", "last_response"):
            continue
        if name not in value:
            if not optional(hint):
                complaints.add(f"{place}.{name}", "is required and missing")
            continue
        fits(value[name], hint, f"{place}.{name}", complaints)


def optional(hint):
    return type(None) in typing.get_args(hint)


def fits(value, hint, place, complaints):
    """Whether a value is of a stated type; forward references are followed by the value's own `object`."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if value is None:
        if type(None) not in options:
            complaints.add(place, "must not be null")
        return
    if any(matches(value, option, place, complaints) for option in options):
        return
    complaints.add(place, f"{value!r:.60} is none of {hint}")


def matches(value, option, place, complaints):
    origin = typing.get_origin(option)
    if option in (int, str, bool, float):
        return type(value) is option or (option is float and type(value) is int)
    if origin is typing.Literal:
        return value in typing.get_args(option)
    if isinstance(option, typing.ForwardRef) or isinstance(option, str):
        return referred(value, place, complaints)
    if origin in (list, typing.List):
        if not isinstance(value, list):
            return False
        (of,) = typing.get_args(option)
        for index, element in enumerate(value):
            fits(element, of, f"{place}[{index}]", complaints)
        return True
    if origin is stripe.ListObject:
        if not isinstance(value, stripe.ListObject):
            return False
        for index, element in enumerate(value.data):
            referred(element, f"{place}.data[{index}]", complaints)
        return True
    if origin is not None:
        return isinstance(value, (dict, stripe.StripeObject))
    if isinstance(option, type) and issubclass(option, stripe.StripeObject):
        if not isinstance(value, stripe.StripeObject):
            return False
        check(value, option, place, complaints)
        return True
    return option is typing.Any or (isinstance(option, type) and isinstance(value, option))


def referred(value, place, complaints):
    """A reference by name: the id, or the object that the SDK has already made of it."""
    if isinstance(value, str):
        return True
    if not isinstance(value, stripe.StripeObject):
        return False
    if "object" in value and type(value) is not stripe.StripeObject:
        check(value, type(value), place, complaints)
    return True
