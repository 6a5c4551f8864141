import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './command-line.js';

const name = process.platform === 'win32' ? 'llamatune-rpc-server.exe' : 'llamatune-rpc-server';
const program = join(root, 'build', 'Release', name);

/** An unused port on loopback. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** llama.cpp's RPC server in a separate process, on loopback. */
export class RpcServer {
  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
  ) {}

  /** 'host:port', as the option `rpc` takes it. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts a server and waits until it listens. */
  static async start(port?: number): Promise<RpcServer> {
    if (!existsSync(program)) {
      throw new Error(`${program} is missing: build the native tests first (npm test does)`);
    }
    const at = port ?? (await freePort());
    const args = ['--host', '127.0.0.1', '--port', String(at), '--threads', '1'];
    const server = new RpcServer(at, spawn(program, args, { stdio: 'ignore' }));
    for (let attempt = 0; attempt < 100; attempt++) {
      if (await answers(at)) return server;
      await sleep(50);
    }
    server.kill();
    throw new Error(`the RPC server on port ${at} does not listen`);
  }

  /** Ends the process like a crash or a power failure. */
  kill(): void {
    this.child.kill('SIGKILL');
  }

  [Symbol.dispose](): void {
    this.kill();
  }

  /** Stops the process without ending it. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  /** Continues the process after freeze(). */
  thaw(): void {
    this.child.kill('SIGCONT');
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => socket.end(() => resolve(true)));
    socket.on('error', () => resolve(false));
  });
}
