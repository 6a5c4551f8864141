import { z } from 'zod';

// How rows become samples: the options that training and inspecting a dataset share.

export const sequenceLength = () =>
  z.int32().min(2).default(512).describe('Maximum length of a sample, in tokens.');

export const batchSize = () => z.int32().min(1).default(8).describe('Samples per optimizer step.');

export const overlength = () =>
  z
    .enum(['error', 'truncate', 'split', 'skip'])
    .default('error')
    .describe(
      'Samples longer than sequenceLength: fail, cut them off, split them into several samples, or leave them out.',
    );

export const truncationSide = () =>
  z
    .enum(['right', 'left'])
    .default('right')
    .describe("With overlength 'truncate': cut off the end (right) or the start (left).");

export const loss = () =>
  z
    .enum(['all', 'assistant', 'last-assistant', 'completion'])
    .default('assistant')
    .describe(
      'Tokens that the loss covers: all, every answer (assistant), the last answer (last-assistant), or the completion of ' +
        'a row that has one and the last answer of other rows (completion).',
    );
