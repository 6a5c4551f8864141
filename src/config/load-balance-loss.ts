import { z } from 'zod';

/** The option of training that keeps the experts of a mixture of experts in use. */
export const loadBalanceLoss = () =>
  z
    .number()
    .min(0)
    .default(0)
    .describe(
      'Coefficient of the load-balance loss of a mixture of experts (Switch Transformer, arXiv 2101.03961, which uses 0.01; ' +
        "0 = none), summed over the layers. The router must be trained: lora.targets with 'ffn_gate_inp', or mode 'full'. " +
        'Not a part of the loss in events, but their metric loadBalanceLoss (mean over the layers, 1 = balanced).',
    );
