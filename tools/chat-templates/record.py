"""Records what Python's jinja2 renders for llama.cpp's chat templates, with the extensions of Hugging Face's Transformers.

    pip install jinja2
    python3 tools/chat-templates/record.py vendor/llama.cpp/models/templates test/unit/data/chat-templates.json.gz

The conversations are in conversations.json; snippets.json has short templates, one group for each thing that templates use.
The result is what test/unit/data/template-parity.test.ts expects.
"""

import datetime
import gzip
import json
import pathlib
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox

# Templates that print the date get this one.
NOW = datetime.datetime(2026, 2, 3, 4, 5, 6)


class GenerationBlock(jinja2.ext.Extension):
    """{% generation %} … {% endgeneration %} marks what a model wrote; it renders its content."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlock, jinja2.ext.loopcontrols]
    )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


def render(env, source, variables):
    try:
        return {"text": env.from_string(source).render(**variables)}
    except jinja2.exceptions.TemplateError as error:
        return {"error": error.message or type(error).__name__}
    except Exception as error:  # what a template does to values of other types
        return {"error": type(error).__name__}


def read_json(name):
    return json.loads((pathlib.Path(__file__).parent / name).read_text("utf8"))


def main():
    folder, output = map(pathlib.Path, sys.argv[1:3])
    env = environment()
    given = {"bos_token": "<BOS>", "eos_token": "<EOS>", "tools": None, "documents": None}
    conversations = read_json("conversations.json")
    snippets = read_json("snippets.json")
    result = {
        "jinja2": jinja2.__version__,
        "now": NOW.isoformat(),
        "templates": {
            path.name: {
                name: render(env, path.read_text("utf8"), {**given, **variables})
                for name, variables in conversations.items()
            }
            for path in sorted(folder.glob("*.jinja"))
        },
        "snippets": {
            name: [render(env, source, snippets["variables"]) for source in sources]
            for name, sources in snippets["templates"].items()
        },
    }
    text = json.dumps(result, ensure_ascii=False, sort_keys=True).encode("utf8", "surrogatepass")
    output.write_bytes(gzip.compress(text, mtime=0))


main()
