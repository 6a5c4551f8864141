import { z } from 'zod';
import { device, signal } from './fields.js';

/** Schema of the options of `testDevice()`. */
export const testDeviceSchema = z.strictObject({ device: device(), signal: signal() });

/** Options of `testDevice()`. */
export type TestDeviceOptions = z.input<typeof testDeviceSchema>;
