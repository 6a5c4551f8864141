import type { RaftConfig } from '../config/raft.js';

/** The options that every call of a run gets. */
export function sharedOptions(config: RaftConfig) {
  const { model, chatTemplate, threads, device, gpuLayers, tensorSplit, placement, rpc } = config;
  return {
    ...{ model, threads, device, gpuLayers, placement, rpc },
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(tensorSplit === undefined ? {} : { tensorSplit }),
  };
}
