import { readFileSync } from 'node:fs';
import * as format from '../format.js';
import {
  describeOptions,
  type GenerateManyOptions,
  type GenerateOptions,
  type GenerateResult,
  generate,
  generateSchema,
  LlamatuneError,
} from '../index.js';
import { type ParsedArguments, parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import type { JsonObject } from './config-file.js';
import { configurationOf } from './configuration.js';
import { expertsText } from './experts-text.js';
import { writeManyAnswers } from './generate-many-view.js';
import { type CliIo, readAll } from './io.js';
import { jsonLine } from './json.js';
import { type CliOption, cliOptions, commonOptions } from './option.js';

const commandOptions: readonly CliOption[] = [
  {
    name: 'promptFile',
    kind: 'text',
    typeText: 'path',
    description: "Read the prompt from this file; '-' is standard input.",
  },
  {
    name: 'user',
    kind: 'text',
    typeText: 'text',
    description: "A user message; the model's chat template is applied.",
  },
  {
    name: 'system',
    kind: 'text',
    typeText: 'text',
    description: 'The system message, used with --user.',
  },
];
const options = [...commandOptions, ...cliOptions(describeOptions(generateSchema))];
const excludedOptions = new Set([...commandOptions, ...commonOptions].map(({ name }) => name));

export const generateCommand: Command = {
  help: {
    name: 'generate',
    summary: 'Generate text with a model and optional LoRA adapters, streamed token by token.',
    usage:
      'generate --model <path> (--user <text> | --prompt <text> | --prompts <file> | < prompt.txt) [options]',
    options,
    examples: [
      {
        what: 'ask the fine-tuned model a question',
        line: 'llamatune generate --model base.gguf --adapters adapter.gguf --user "What is the capital of France?"',
      },
      {
        what: 'continue a text from standard input with greedy sampling',
        line: 'llamatune generate --model base.gguf --temperature 0 --maxTokens 64 < prompt.txt',
      },
      {
        what: 'write four answers to each prompt of a file, 8 at a time, as JSON Lines',
        line: 'llamatune generate --model base.gguf --prompts prompts.jsonl --n 4 --parallel 8 --json',
      },
      {
        what: 'apply one adapter at half strength and another in full, and write one JSON object per token',
        line: 'llamatune generate --model base.gguf --adapters style.gguf@0.5,facts.gguf --prompt "Once" --json',
      },
    ],
    notes: [
      'The text goes to standard output and the statistics to standard error. Without a prompt option the prompt is read ' +
        'from standard input.',
      'With --prompts or --n the answers are decoded together and written in the order of the prompts, each after a line ' +
        'with its numbers. With --json each answer is an object of type "sequence", written when it is complete. The exit ' +
        'code is 1 if an answer failed; the others are written.',
    ],
  },

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'generate');
    refusePositionals(parsed, 'generate');
    const config = await withPrompt(configurationOf(parsed, excludedOptions), parsed, io);
    const json = parsed.values.get('json') === true;
    const request = { ...config, signal: io.signal } as GenerateOptions;
    if (config.prompts !== undefined || config.n !== undefined) {
      await writeManyAnswers(generate(request as GenerateManyOptions), io, json, request.n ?? 1);
      return;
    }
    const run = generate(request);
    // A closed standard output (`| head`) is not a failure; stop generating.
    io.outputClosed.addEventListener('abort', () => run.abort());
    let endsWithNewline = true;
    try {
      for await (const event of run) {
        io.stdout.write(json ? jsonLine(event) : event.text);
        if (event.text !== '') endsWithNewline = event.text.endsWith('\n');
      }
    } catch (error) {
      if (io.outputClosed.aborted && !io.signal.aborted) return;
      throw error;
    }
    const result = await run.result;
    if (json) {
      io.stdout.write(jsonLine({ type: 'done', result }));
    } else {
      // Start the shell's prompt on a new line; a file gets the text and nothing else.
      if (io.stdout.isTTY && !endsWithNewline) io.stdout.write('\n');
      io.stderr.write(`${statistics(result)}\n`);
    }
  },
};

/** '24 tokens in 0.5 s, 48.0 tokens/s · …' */
export function statistics(result: GenerateResult): string {
  const experts = expertsText(result.experts);
  return [
    `${result.generatedTokens} tokens, ${format.rate(result.tokensPerSecond)} tokens/s`,
    `first token after ${format.duration(result.timeToFirstTokenMs)}`,
    `prompt ${result.promptTokens} tokens, ${format.rate(result.promptTokensPerSecond)} tokens/s`,
    `ended by ${result.finishReason}`,
    ...(experts === undefined ? [] : [`experts ${experts}`]),
  ].join('  ·  ');
}

/** Adds the prompt from exactly one source: the options, a file, or standard input. */
async function withPrompt(
  config: JsonObject,
  { values }: ParsedArguments,
  io: CliIo,
): Promise<JsonObject> {
  const user = values.get('user') as string | undefined;
  const system = values.get('system') as string | undefined;
  const file = values.get('promptFile') as string | undefined;
  const sources = ['prompt', 'messages', 'prompts', 'promptFile', 'user'];
  const given = sources.filter((name) => values.has(name));
  if (given.length > 1) {
    throw new LlamatuneError(
      'USAGE_INVALID',
      `expected one prompt but received ${given.map((name) => `--${name}`).join(' and ')}`,
      { hint: 'use one of --prompt, --promptFile, --user, --messages, --prompts' },
    );
  }
  if (system !== undefined && user === undefined) {
    throw new LlamatuneError('USAGE_INVALID', '--system needs --user', {
      hint: 'add --user, or pass the whole conversation with --messages',
    });
  }
  // A prompt on the command line replaces the prompt of the configuration file.
  const { prompt, messages, prompts, ...rest } = config;
  if (user !== undefined) {
    const before = system === undefined ? [] : [{ role: 'system', content: system }];
    return { ...rest, messages: [...before, { role: 'user', content: user }] };
  }
  if (file !== undefined) return { ...rest, prompt: await readPrompt(file, io) };
  if (values.has('prompt')) return { ...rest, prompt };
  if (values.has('messages')) return { ...rest, messages };
  if (values.has('prompts')) return { ...rest, prompts };
  const inFile = [prompt, messages, prompts].some((each) => each !== undefined);
  if (!inFile && !io.stdin.isTTY) return { ...rest, prompt: await readPrompt('-', io) };
  return config;
}

async function readPrompt(path: string, io: CliIo): Promise<string> {
  try {
    // Editors end a file with a newline that is not meant as part of the prompt.
    const text = path === '-' ? await readAll(io.stdin) : readFileSync(path, 'utf8');
    return text.replace(/\r?\n$/, '');
  } catch (cause) {
    throw new LlamatuneError(
      'USAGE_INVALID',
      `cannot read the prompt file ${path}: ${(cause as Error).message}`,
      { hint: 'check the path', cause },
    );
  }
}
