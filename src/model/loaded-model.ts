import type { TemplateMessage } from '../config/chat-message.js';
import type { PlacementConfig } from '../config/fields.js';
import {
  type LoadModelConfig,
  type LoadModelOptions,
  loadModelSchema,
} from '../config/load-model.js';
import { parseConfig } from '../config/parse.js';
import type { NativeModel } from '../contract/addon.js';
import { guardedCallback } from '../contract/guarded-callback.js';
import { fromNative, nativeRun } from '../contract/load.js';
import type { ModelInfo } from '../contract/model.js';
import { renderChat } from '../data/chat-template.js';
import { readChatTemplate } from '../data/read-chat-template.js';
import { specialTexts, type TextModel } from '../data/tokenizer.js';
import { LlamatuneError } from '../errors.js';

export type { LoadModelOptions };

/**
 * Loads a GGUF model to share it between calls. It stays in memory until `dispose()`, the end of its
 * `await using` scope, or garbage collection. A run that uses the model keeps it in memory until the run ends.
 *
 * @throws LlamatuneError CONFIG_INVALID, DEVICE_NOT_FOUND, PLACEMENT_INVALID, RPC_UNREACHABLE, MODEL_NOT_FOUND, NOT_A_GGUF,
 * MODEL_TRUNCATED, MODEL_UNSUPPORTED, MODEL_IS_ADAPTER, MODEL_INVALID, MODEL_LOAD_FAILED, OUT_OF_MEMORY, ABORTED,
 * ADDON_NOT_FOUND.
 */
export async function loadModel(options: string | LoadModelOptions): Promise<LoadedModel> {
  const given = typeof options === 'string' ? { model: options } : options;
  return openModel(parseConfig(loadModelSchema, given, 'loadModel options'), true);
}

/** The options of openModel(), which every call that loads a model has. */
export type OpenOptions = PlacementConfig &
  Pick<LoadModelConfig, 'model'> &
  Partial<Pick<LoadModelConfig, 'purpose' | 'onProgress' | 'signal'>>;

/**
 * Like loadModel().
 *
 * @param useMmap false for full fine-tuning, which needs writable weights
 * @param vocabularyOnly load no weights, for calls that only tokenize
 */
export async function openModel(
  o: OpenOptions,
  useMmap: boolean,
  vocabularyOnly = false,
): Promise<LoadedModel> {
  const repack = o.purpose === 'generate';
  const onProgress = guardedCallback('onProgress', o.onProgress);
  const handle = await nativeRun(o.signal, (addon) =>
    addon.loadModel(
      {
        ...o,
        gpuLayers: o.gpuLayers === 'all' ? -1 : o.gpuLayers,
        tensorSplit: o.tensorSplit ?? [],
        placement: Object.entries(o.placement).map(([pattern, device]) => ({ pattern, device })),
        useMmap,
        repack,
        vocabularyOnly,
      },
      (fractions) => onProgress(fractions.at(-1)!),
    ),
  );
  const devices = await nativeRun(o.signal, () => handle.devices()).catch(async (error) => {
    await handle.dispose();
    throw error;
  });
  const gpu = devices.length > 0 && o.gpuLayers !== 0;
  const mixed = gpu && (o.gpuLayers !== 'all' || Object.keys(o.placement).length > 0);
  const fastBf16 = gpu && devices.every((device) => device.fastBf16);
  return new LoadedModel(o.model, handle, { repack, mmap: useMmap, gpu, mixed, fastBf16 });
}

/** How the weights are stored in memory. */
interface Layout {
  repack: boolean;
  mmap: boolean;
  gpu: boolean;
  mixed: boolean;
  fastBf16: boolean;
}

/** A model in memory, returned by `loadModel()`. */
export class LoadedModel implements AsyncDisposable {
  /** Path of the file. */
  readonly path: string;
  /** Whether `finetune` can use it (`purpose: 'train'`). */
  readonly trainable: boolean;
  /** Whether the weights can be modified, as full fine-tuning does. */
  readonly writable: boolean;
  /** Whether a device other than the CPU holds layers of the model. */
  readonly onGpu: boolean;
  /** Whether the CPU may hold part of a model that is on a GPU. */
  readonly mixed: boolean;
  /** Whether all devices that hold layers, other than the CPU, multiply in bfloat16 if asked to. */
  readonly fastBf16: boolean;
  readonly #handle: NativeModel;
  #info: ModelInfo | undefined;
  #disposed = false;

  /** @internal Use `loadModel()`. */
  constructor(path: string, handle: NativeModel, layout: Layout) {
    this.path = path;
    this.trainable = !layout.repack;
    this.writable = !layout.repack && !layout.mmap;
    this.onGpu = layout.gpu;
    this.mixed = layout.mixed;
    this.fastBf16 = layout.fastBf16;
    this.#handle = handle;
  }

  /** Architecture, sizes, special tokens, chat template, tensors and metadata of the file. */
  get info(): ModelInfo {
    this.#info ??= this.#call((model) => model.info());
    return this.#info;
  }

  /** Whether dispose() was called. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /**
   * Converts text to token ids.
   *
   * @param options.addSpecial adds BOS and EOS if the vocabulary asks for them; default true.
   * @param options.parseSpecial parses text such as '<|im_start|>' as a control token; default false.
   * @throws LlamatuneError DISPOSED.
   */
  tokenize(
    text: string,
    options: { addSpecial?: boolean; parseSpecial?: boolean } = {},
  ): Int32Array {
    return this.#call((model) =>
      model.tokenize(text, options.addSpecial ?? true, options.parseSpecial ?? false),
    );
  }

  /**
   * Converts token ids to text.
   *
   * @param options.special renders control tokens as text; default false.
   * @throws LlamatuneError TOKEN_OUT_OF_RANGE, DISPOSED.
   */
  detokenize(tokens: Int32Array | readonly number[], options: { special?: boolean } = {}): string {
    const ids = tokens instanceof Int32Array ? tokens : Int32Array.from(tokens);
    return this.#call((model) => model.detokenize(ids, options.special ?? false));
  }

  /**
   * Renders messages with the chat template of the model.
   *
   * @param options.addGenerationPrompt appends the header of the assistant turn; default true.
   * @param options.template replaces the template of the model: a Jinja text, a path, or the name of a common format.
   * @throws LlamatuneError NO_CHAT_TEMPLATE, TEMPLATE_FAILED, CHAT_TEMPLATE_NOT_FOUND, CHAT_TEMPLATE_UNREADABLE.
   */
  applyChatTemplate(
    messages: readonly TemplateMessage[],
    options: { addGenerationPrompt?: boolean; template?: string; tools?: readonly unknown[] } = {},
  ): string {
    const { bos, eos } = specialTexts(this.textModel, this.info);
    return renderChat(readChatTemplate(options.template) ?? this.info.chatTemplate, messages, {
      addGenerationPrompt: options.addGenerationPrompt ?? true,
      bosToken: bos,
      eosToken: eos,
      tools: options.tools ?? null,
    });
  }

  /** @internal The native model object. */
  get native(): NativeModel {
    if (this.#disposed) throw disposedError(this.path);
    return this.#handle;
  }

  /** @internal The tokenizer interface that src/data uses. */
  get textModel(): TextModel {
    return {
      info: () => this.info,
      tokenize: (...args) => this.#call((model) => model.tokenize(...args)),
      tokenBytes: (...args) => this.#call((model) => model.tokenBytes(...args)),
    };
  }

  /** Frees the model once no run uses it any more. Further calls do nothing. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#handle.dispose();
  }

  /** The same as dispose(), for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #call<T>(call: (model: NativeModel) => T): T {
    try {
      return call(this.native);
    } catch (error) {
      throw fromNative(error);
    }
  }
}

function disposedError(path: string): LlamatuneError {
  return new LlamatuneError('DISPOSED', `the model ${path} has been disposed`, {
    hint: 'load it again, or dispose it after its last use',
  });
}
