import { createHash } from 'node:crypto';
import type { FinetuneConfig } from '../config/finetune.js';
import type { PreparedCheckpoint } from '../contract/training.js';

/**
 * The options that decide what the steps of a run compute and that only the preparation knows. A checkpoint stores them,
 * and a resumed run is compared with them.
 */
export function runFacts(config: FinetuneConfig): PreparedCheckpoint['facts'] {
  const { scheduler, loss, overlength, truncationSide, chatTemplate } = config;
  const facts = {
    loss,
    overlength,
    truncationSide,
    chatTemplate:
      chatTemplate === undefined ? "the model's own" : `given (hash ${hash(chatTemplate)})`,
    ...Object.fromEntries(
      Object.entries(scheduler).map(([name, value]) => [`scheduler.${name}`, value]),
    ),
  };
  return Object.entries(facts).flatMap(([option, value]) =>
    value === undefined ? [] : [{ option, value: String(value) }],
  );
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
