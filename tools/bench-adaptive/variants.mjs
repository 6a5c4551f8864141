/** What is compared: static training and adaptive training, at the rate of the task and at 2 to 10 times that rate. */
export const variants = {
  static: {},
  rescue: { adaptive: {} },
  growth: { adaptive: { growth: 1.1 } },
  batch: { adaptive: { batch: { enabled: true } } },
  'static-2x': { rate: 2 },
  'static-4x': { rate: 4 }, // the largest factor that growth may reach
  'static-10x': { rate: 10 },
  'rescue-10x': { rate: 10, adaptive: {} },
};

/** The variant that each one is compared with. */
export const baselineOf = (variant) => (variant.endsWith('-10x') ? 'static-10x' : 'static');

/** The options of a run of a task. */
export function optionsOf({ options }, variant, seed) {
  const { rate = 1, adaptive } = variants[variant];
  const learningRate = rate * options.optimizer.learningRate;
  return {
    ...options,
    optimizer: { ...options.optimizer, learningRate },
    ...(adaptive === undefined ? {} : { adaptive }),
    seed,
    modelCard: false,
    runLog: false,
  };
}
