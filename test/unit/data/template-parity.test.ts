import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseExactJson } from '../../../src/config/exact-json.js';
import { JinjaTemplate } from '../../../src/data/jinja/template.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const templates = join(root, 'vendor/llama.cpp/models/templates');
const readInput = (name: string) =>
  parseExactJson(readFileSync(join(root, 'tools/chat-templates', name), 'utf8'));

type Variables = Record<string, unknown>;
/** What jinja2 rendered, or its error. */
type Outcome = { text: string } | { error: string };

const conversations = readInput('conversations.json') as Record<string, Variables>;
const snippets = readInput('snippets.json') as {
  variables: Variables;
  templates: Record<string, string[]>;
};
const recorded = JSON.parse(
  gunzipSync(readFileSync(new URL('chat-templates.json.gz', import.meta.url))).toString(),
) as {
  now: string;
  templates: Record<string, Record<string, Outcome>>;
  snippets: Record<string, Outcome[]>;
};

const given = { bos_token: '<BOS>', eos_token: '<EOS>', tools: null, documents: null };

/** The text; in place of an error only that there is one, because the words of Python's errors differ. */
function render(source: string, variables: Variables): string {
  try {
    return new JinjaTemplate(source).render({ ...given, ...variables }, new Date(recorded.now))
      .text;
  } catch {
    return '(error)';
  }
}

const expected = (outcome: Outcome) => ('text' in outcome ? outcome.text : '(error)');

describe("llama.cpp's chat templates render as with Python's jinja2", () => {
  it('are those of the recording', () => {
    expect(existsSync(templates), `${templates} is missing: run npm run build`).toBe(true);
    const found = readdirSync(templates).filter((name) => name.endsWith('.jinja'));
    expect(found.sort()).toEqual(Object.keys(recorded.templates).sort());
    expect(found.length).toBe(70);
  });

  it.each(Object.keys(recorded.templates))('%s', (name) => {
    const source = readFileSync(join(templates, name), 'utf8');
    const outcomes = recorded.templates[name]!;
    expect(Object.keys(outcomes).sort()).toEqual(Object.keys(conversations).sort());
    for (const [conversation, outcome] of Object.entries(outcomes)) {
      expect(render(source, conversations[conversation]!), conversation).toBe(expected(outcome));
    }
  });
});

describe("short templates render as with Python's jinja2", () => {
  it.each(Object.keys(snippets.templates))('%s', (group) => {
    const sources = snippets.templates[group]!;
    const outcomes = recorded.snippets[group]!;
    expect(outcomes.length).toBe(sources.length);
    for (const [i, source] of sources.entries()) {
      expect(render(source, snippets.variables), source).toBe(expected(outcomes[i]!));
    }
  });
});
