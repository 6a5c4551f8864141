import { z } from 'zod';
import { rpc } from './fields.js';

/** Options of `devices()`. */
export const devicesSchema = z.strictObject({ rpc: rpc() });

export type DevicesOptions = z.input<typeof devicesSchema>;
