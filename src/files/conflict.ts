import { dirname } from 'node:path';
import { type FileIdentity, isBelow, isSameFile } from './identity.js';
import { isCheckpointName } from './names.js';

/** A file or folder that a call uses, and its label in messages. */
export interface KnownFile {
  /** 'the model' for an input, the name of the option for an output. */
  label: string;
  /** 'file', 'log' and 'folder' are outputs, the others inputs. */
  kind:
    | 'model'
    | 'dataset'
    | 'samples'
    | 'adapter'
    | 'checkpoint'
    | 'config'
    | 'file'
    | 'log'
    | 'folder';
  identity: FileIdentity;
}

/** Why writing an output would overwrite one of the other files; undefined if it would not. */
export function conflictOf(output: KnownFile, others: readonly KnownFile[]): string | undefined {
  for (const other of others) {
    const reason = conflictBetween(output, other);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function conflictBetween(output: KnownFile, other: KnownFile): string | undefined {
  // a run resumes from a checkpoint in its own folder
  if (output.kind === 'folder' && other.kind === 'checkpoint') return undefined;
  if (isSameFile(output.identity, other.identity)) {
    return isOutput(other)
      ? `${other.label} names the same ${other.kind === 'folder' ? 'folder' : 'file'}`
      : `it is ${other.label}, which would be lost`;
  }
  if (willBeFile(other) && isBelow(output.identity, other.identity)) {
    return `${other.label} is a file, and this would be inside it`;
  }
  if (willBeFile(output) && isOutput(other) && isBelow(other.identity, output.identity)) {
    return `${other.label} would be inside it, and it is a file`;
  }
  const named = 'named like a checkpoint, which would replace it';
  if (isCheckpointOf(output, other)) return `it is inside ${other.label} and ${named}`;
  if (isCheckpointOf(other, output)) return `${other.label} is inside this folder and ${named}`;
  return undefined;
}

const isOutput = ({ kind }: KnownFile): boolean =>
  kind === 'file' || kind === 'log' || kind === 'folder';

/** Whether this output will become a file. A path that already exists is checked on disk instead. */
const willBeFile = ({ kind, identity }: KnownFile): boolean =>
  (kind === 'file' || kind === 'log') && identity.inode === null;

/** Whether a run with this checkpoint folder could write a checkpoint over the file. */
function isCheckpointOf(file: KnownFile, folder: KnownFile): boolean {
  if (folder.kind !== 'folder' || file.kind === 'folder') return false;
  const parent = { target: dirname(file.identity.target), inode: null };
  return isCheckpointName(file.identity.target) && isSameFile(parent, folder.identity);
}
