import { existsSync, mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CreateModelOptions, createModel } from '../../src/index.js';

const cache = join(fileURLToPath(new URL('../../', import.meta.url)), '.cache', 'test');

/** The printable characters that stand for the 256 bytes in GPT-2's byte-level BPE. */
function byteAlphabet(): string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(printable(byte) ? byte : next++),
  );
}

const CONTROL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];

export const CHATML = `{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;

/** A model that trains in milliseconds: bytes as tokens, two layers, random weights. */
export const tinyOptions = {
  architecture: 'llama',
  vocabulary: {
    pre: 'qwen2',
    tokens: [...byteAlphabet(), ...CONTROL],
    tokenTypes: [...byteAlphabet().map(() => 1), ...CONTROL.map(() => 3)],
    merges: [],
    eosToken: 258,
    padToken: 256,
  },
  chatTemplate: CHATML,
  contextLength: 256,
  embeddingLength: 64,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  feedForwardLength: 128,
  initStd: 0.05,
  seed: 7,
} as const satisfies Omit<CreateModelOptions, 'path'>;

/** Path of a tiny model, which is made once and cached. Different options need a different name. */
export async function tinyModel(
  name = 'tiny-f32',
  options: Partial<Omit<CreateModelOptions, 'path'>> = {},
): Promise<string> {
  const path = join(cache, `${name}.gguf`);
  if (!existsSync(path)) {
    mkdirSync(cache, { recursive: true });
    const partial = `${path}.${process.pid}`;
    await createModel({ ...tinyOptions, ...options, path: partial });
    renameSync(partial, path);
  }
  return path;
}

/** Makes a new temporary folder, which the caller removes. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'llamatune-test-'));
}
