"""Templates that mean harm are refused with one line; those of other models render as without limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from oracles.conversations import conversation

from edgekit.engine.template import ChatTemplate
from edgekit.errors import UnsupportedError

HELLO = [{"role": "user", "content": "Hello, world"}]
LOOP = "{% for a in range(100000) %}"

# Climbing out of the template: CVE-2024-34359 and its successors in Jinja (CVE-2024-56201, -56326, CVE-2025-27516).
CLIMBING = {
    "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "loader": "{% for x in ().__class__.__base__.__subclasses__() %}{{ x()._module.__builtins__['__import__']('os') }}"
    "{% endfor %}",
    "globals": "{{ raise_exception.__globals__['os'].system('true') }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "namespace": "{{ namespace.__init__.__globals__ }}{{ namespace.__init__.__globals__.x() }}",
    "attr": "{{ (''|attr('__class__')).mro() }}",
    "format": "{{ '{0.__class__.__mro__}'.format('').x() }}",
    "format map": "{{ '{a.__class__.__init__}'.format_map({'a': ''}).x() }}",
    "format by attr": "{{ ('{0.__class__}'|attr('format'))('').x() }}",
    "self": "{{ self.__init__.__globals__ }}{{ self._TemplateReference__context.x() }}",
    "import": "{% import 'os' as os %}",
    "include": "{% include '/etc/passwd' %}",
    "extends": "{% extends '/etc/passwd' %}",
    "change": "{% set _ = messages.append(1) %}",
    "clear": "{{ messages[0].clear() }}",
}
# Computing without end.
ENDLESS = {
    "nested loops": LOOP * 4 + "{% endfor %}" * 4,
    "nested loops with a loop variable": LOOP * 3 + "{{ loop.index }}" + "{% endfor %}" * 3,
    "loops whose condition fails": "{% for a in range(100000) %}{% for b in range(100000) if false %}{% endfor %}"
    "{% endfor %}",
    "recursive loops": "{% for a in [[1]] recursive %}" + LOOP + "{% endfor %}{{ loop([[1], [1]]) }}{% endfor %}",
    "a macro that calls itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "a macro that calls itself twice": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
    "{{ f(60) }}",
    "a block that calls itself twice": "{% set n = namespace(i=0) %}{% block a %}{% set n.i = 1 %}{{ self.a() }}"
    "{{ self.a() }}{% endblock %}",
    "a call block": "{% macro f(n) %}{{ caller(n) }}{% endmacro %}"
    + LOOP * 3
    + "{% call(n) f(1) %}{% endcall %}"
    + "{% endfor %}" * 3,
    "macros in loops": "{% macro f() %}" + LOOP + "{% endfor %}{% endmacro %}" + LOOP + "{{ f() }}{% endfor %}",
    "filters in loops": LOOP + "{% set x = range(100000)|map('string')|list %}{% endfor %}",
    "slices in loops": "{% set x = range(100000)|list %}" + LOOP + "{% set y = x[1:] %}{% endfor %}",
    "searches in loops": "{% set x = range(100000)|list %}" + LOOP + "{% if -1 in x %}{% endif %}{% endfor %}",
    "comparing what holds itself twice": "{% set n = namespace(a=[0], b=[0]) %}{% for i in range(60) %}"
    "{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a == n.b }}",
    "hashing it": "{% set n = namespace(a=(0,)) %}{% for i in range(60) %}{% set n.a = (n.a, n.a) %}{% endfor %}"
    "{{ {}[n.a] }}",
    "testing it": "{% set n = namespace(a=[0], b=[0]) %}{% for i in range(60) %}"
    "{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a is eq n.b }}",
    "stripping": "{% set x = 'ab' * 400000 %}" + LOOP + "{% set y = x.strip(x) %}{% endfor %}",
    "searching from the right": "{% set x = 'a' * 500000 %}{{ x.rfind('b' + x[:250000]) }}",
    "powers": "{{ 10 ** (10 ** 10) }}",
    "powers of powers": "{% set n = namespace(x=3) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "rounding": "{{ 1.5|round(1000000000, 'floor') }}",
    "more work by asking for less": "{{ (0 - 10 ** 12)|charged }}{{ [0 - 10 ** 12]|map('charged')|list }}"
    + LOOP * 3
    + "{% endfor %}" * 3,
}
# Texts and lists without end.
GIGANTIC = {
    "repeated": "{{ 'a' * 10 ** 10 }}",
    "repeated from the left": "{{ 10 ** 10 * 'a' }}",
    "a repeated list": "{% set x = [0] * 10 ** 10 %}",
    "doubled": "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "added": "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "added lists": "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "captured": "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set y %}{{ n.x }}{{ n.x }}{% endset %}"
    "{% set n.x = y %}{% endfor %}",
    "written by a macro": "{% macro f(x) %}{{ x }}{{ x }}{% endmacro %}{% set n = namespace(x='a') %}"
    "{% for i in range(60) %}{% set n.x = f(n.x) %}{% endfor %}",
    "written": "{% set x = 'a' * 100000 %}" + LOOP + "{{ x }}{% endfor %}",
    "written as it stands": LOOP + "a" * 10_000 + "{% endfor %}",
    "a list as text": "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}"
    "{{ n.x }}",
    "a list as JSON": "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}"
    "{{ n.x|tojson }}",
    "a namespace that holds itself": "{% set n = namespace() %}{% set n.x = [n, n] %}{{ n }}",
    "JSON spread out": "{{ range(1000)|list|tojson(indent=100000) }}",
    "JSON spread out by text": "{{ range(1000)|list|tojson(separators=('a' * 100000, ':')) }}",
    "replaced": "{{ ('a' * 10000).replace('a', 'b' * 10000) }}",
    "replaced by a filter": "{{ ('a' * 10000)|replace('a', 'b' * 10000) }}",
    "replaced nothing": "{{ ('a' * 10000)|replace('', 'b' * 10000) }}",
    "replaced by names": "{{ ('a' * 10000)|replace(old='a', new='b' * 10000) }}",
    "replaced in a block": "{% filter replace('a', 'b' * 100000) %}" + "a" * 1000 + "{% endfilter %}",
    "joined": "{{ ('a' * 100000).join(range(1000)|map('string')) }}",
    "joined by a filter": "{{ range(1000)|map('string')|join('a' * 100000) }}",
    "joined lists": "{{ [range(100000)|list] * 1000 }}",
    "padded": "{{ 'a'.ljust(10 ** 10) }}",
    "centred": "{{ 'a'.center(10 ** 10) }}",
    "filled": "{{ '1'.zfill(10 ** 10) }}",
    "tabs": "{{ ('\\t' * 1000).expandtabs(10 ** 7) }}",
    "indented": "{{ ('a\\n' * 1000)|indent(10 ** 7) }}",
    "indented by text": "{{ ('a\\n' * 1000)|indent('b' * 100000) }}",
    "formatted": "{{ '%1000000000d' % 1 }}",
    "formatted by number": "{{ '%*d' % (1000000000, 1) }}",
    "formatted by name": "{{ '%(a)1000000000d' % {'a': 1} }}",
    "formatted often": "{{ ('%(a)s' * 10000) % {'a': 'b' * 10000} }}",
    "formatted by a filter": "{{ '%1000000000d'|format(1) }}",
    "formatted by a method": "{{ '{:1000000000}'.format(1) }}",
    "formatted by a nested field": "{{ '{:{}}'.format(1, 1000000000) }}",
    "formatted by a map": "{{ '{a:1000000000}'.format_map({'a': 1}) }}",
    "formatted by an attribute": "{{ ('{:1000000000}'|attr('format'))(1) }}",
    "translated": "{{ ('a' * 10000).translate({97: 'b' * 10000}) }}",
    "bytes": "{{ (1).to_bytes(10 ** 10, 'big') }}",
    "a giant range": "{{ range(10 ** 10) }}",
    "nonsense text": "{{ lipsum(n=10 ** 9) }}",
    "a very long template": "a" * 300_000,
}
# What breaks the compiler.
DEEP = {
    "parentheses": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "lists": "{{ " + "[" * 20_000 + "]" * 20_000 + " }}",
    "conditions": "{% if 1 %}" * 5000 + "{% endif %}" * 5000,
    "loops": "{% for a in [1] %}" * 500 + "{% endfor %}" * 500,
    "negations": "{{ " + "not " * 50_000 + "1 }}",
    "additions": "{{ " + "1 + " * 50_000 + "1 }}",
    "filters": "{{ 1" + "|string" * 30_000 + " }}",
    "attributes": "{{ a" + ".a" * 50_000 + " }}",
    "unclosed": "{% for a in messages %}",
    "unknown": "{% hello %}",
    "a message of many lines": "{{ raise_exception('a\\nb\\n' * 10000) }}",
}


@pytest.mark.parametrize(
    "template",
    [pytest.param(text, id=name) for kind in (CLIMBING, ENDLESS, GIGANTIC, DEEP) for name, text in kind.items()],
)
def test_hostile_templates_are_refused_in_one_line(template: str) -> None:
    with pytest.raises(UnsupportedError) as problem:
        ChatTemplate(template).render(HELLO)
    line = str(problem.value)
    assert "\n" not in line
    assert len(line) < 400


def test_what_a_template_may_do_grows_with_the_conversation() -> None:
    echo = ChatTemplate(
        "{% for m in messages %}{{ m.content|trim }}{% set x = m.content ~ m.content %}{{ x }}{% endfor %}"
    )
    long = "word " * 2_000_000
    assert len(echo.render([{"role": "user", "content": long}])) == 3 * len(long) - 1
    many = [{"role": "user", "content": "hello"}] * 20_000
    assert len(echo.render(many)) == 15 * 20_000


def plain_environment() -> ImmutableSandboxedEnvironment:
    """As transformers has it."""

    def tojson(
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: Any = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def fail(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals |= {"raise_exception": fail, "strftime_now": lambda format: format}
    return environment


def plainly(source: str, given: Any) -> str | None:
    try:
        return (
            plain_environment()
            .from_string(source)
            .render(
                messages=given.messages,
                tools=given.tools or None,
                documents=None,
                add_generation_prompt=True,
                enable_thinking=given.think,
                bos_token="<bos>",
            )
        )
    except Exception:
        return None


def test_templates_of_other_models_render_as_without_limits(
    llama_cpp_source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every template that llama.cpp ships, on conversations with tools, thoughts and media."""
    monkeypatch.setattr("edgekit.engine.template_sandbox._now", lambda format: format)
    templates = sorted((llama_cpp_source / "models" / "templates").glob("*.jinja"))
    assert len(templates) > 50
    rendered = 0
    for path in templates:
        source = path.read_text(encoding="utf-8")
        for seed in range(6):
            given = conversation(seed)
            wanted = plainly(source, given)
            if wanted is None:
                continue
            assert ChatTemplate(source, "<bos>").render(given.messages, given.tools, think=given.think) == wanted, path
            rendered += 1
    assert rendered > 150
