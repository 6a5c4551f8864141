import { z } from 'zod';
import { rpc } from './fields.js';

/** Schema of the options of `devices()`. */
export const devicesSchema = z.strictObject({ rpc: rpc() });

/** Options of `devices()`. */
export type DevicesOptions = z.input<typeof devicesSchema>;
