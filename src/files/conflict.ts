import { dirname } from 'node:path';
import { type FileIdentity, isBelow, isSameFile } from './identity.js';
import { isCheckpointName } from './names.js';

/** A file or folder that a call uses, and what the other ones call it. */
export interface KnownFile {
  /** 'the model' of an input, the option's name of an output. */
  what: string;
  /** 'file', 'log' and 'folder' are outputs, the rest inputs. */
  kind: 'model' | 'dataset' | 'adapter' | 'config' | 'file' | 'log' | 'folder';
  is: FileIdentity;
}

/** Why an output cannot be written without destroying one of the other files; undefined if it can. */
export function conflictOf(output: KnownFile, others: readonly KnownFile[]): string | undefined {
  for (const other of others) {
    const reason = conflictBetween(output, other);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function conflictBetween(output: KnownFile, other: KnownFile): string | undefined {
  if (isSameFile(output.is, other.is)) {
    return isOutput(other)
      ? `it is also ${other.what}`
      : `it is ${other.what}, which would be lost`;
  }
  if (willBeFile(other) && isBelow(output.is, other.is)) {
    return `${other.what} is a file, and this would be inside it`;
  }
  if (willBeFile(output) && isOutput(other) && isBelow(other.is, output.is)) {
    return `${other.what} would be inside it, and it is a file`;
  }
  if (isCheckpointOf(output, other)) return `checkpoints in ${other.what} have names like this`;
  if (isCheckpointOf(other, output)) {
    return `${other.what} is in this folder, and a checkpoint of the same name would replace it`;
  }
  return undefined;
}

const isOutput = ({ kind }: KnownFile): boolean =>
  kind === 'file' || kind === 'log' || kind === 'folder';

/** What exists already shows by itself whether it is a file or a folder. */
const willBeFile = ({ kind, is }: KnownFile): boolean =>
  (kind === 'file' || kind === 'log') && is.inode === null;

/** Whether a run with this checkpoint folder could write a checkpoint over the file. */
function isCheckpointOf(file: KnownFile, folder: KnownFile): boolean {
  if (folder.kind !== 'folder' || file.kind === 'folder') return false;
  const parent = { target: dirname(file.is.target), inode: null };
  return isCheckpointName(file.is.target) && isSameFile(parent, folder.is);
}
