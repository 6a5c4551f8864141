import { homedir, hostname, networkInterfaces, userInfo } from 'node:os';

/** Something that identifies a person or a machine. */
export interface PersonalValue {
  kind:
    | 'home folder'
    | 'user name'
    | 'host name'
    | 'MAC address'
    | 'IP address'
    | 'serial number'
    | 'secret';
  value: string;
}

/**
 * What identifies this machine and its users: names, home folder, addresses, serial numbers, and the values of environment
 * variables that are named like secrets.
 */
export async function personalValues(): Promise<PersonalValue[]> {
  return [
    ...valuesOf('home folder', [homedir(), userInfo().homedir]),
    ...valuesOf('user name', await userNames()),
    ...valuesOf('host name', await hostNames()),
    ...addresses(),
    ...valuesOf('serial number', (await serialNumbers()).filter(isSerialNumber)),
    ...secrets(),
  ];
}

function valuesOf(
  kind: PersonalValue['kind'],
  values: readonly (string | undefined)[],
): PersonalValue[] {
  // A single character cannot be told from ordinary text.
  const known = values.filter((value) => value !== undefined && value.length > 1);
  return [...new Set(known as string[])].map((value) => ({ kind, value }));
}

/** Loaded when it is needed: it is large. */
const systemInformation = () => import('systeminformation');

async function userNames(): Promise<(string | undefined)[]> {
  const { users } = await systemInformation();
  const { USER, LOGNAME, USERNAME } = process.env;
  return [userInfo().username, USER, LOGNAME, USERNAME, ...(await users()).map(({ user }) => user)];
}

async function hostNames(): Promise<string[]> {
  const { osInfo } = await systemInformation();
  const { hostname: host, fqdn } = await osInfo();
  const names = [hostname(), host, fqdn].flatMap((name) => [name, name.split('.')[0]!]);
  return names.filter((name) => name !== 'localhost');
}

function addresses(): PersonalValue[] {
  const own = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal }) => !internal);
  return [
    ...valuesOf(
      'MAC address',
      own.map(({ mac }) => mac),
    ),
    ...valuesOf(
      'IP address',
      own.map(({ address }) => address),
    ),
  ];
}

async function serialNumbers(): Promise<(string | undefined)[]> {
  const information = await systemInformation();
  const [machine, firmware, board, box, disks, memory, ids, os] = await Promise.all([
    information.system(),
    information.bios(),
    information.baseboard(),
    information.chassis(),
    information.diskLayout(),
    information.memLayout(),
    information.uuid(),
    information.osInfo(),
  ]);
  return [
    ...[machine.serial, machine.uuid, firmware.serial, board.serial, board.assetTag],
    ...[box.serial, box.assetTag, ids.os, ids.hardware, os.serial],
    ...disks.map(({ serialNum }) => serialNum),
    ...memory.map(({ serialNum }) => serialNum),
  ];
}

/** Not what firmware says where it has none: '-', 'Default string', 'To Be Filled By O.E.M.', 00000000. */
const isSerialNumber = (text: string | undefined): boolean =>
  text !== undefined && text.length > 4 && /[1-9]/.test(text);

const SECRET = /TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY/i;
const SHORTEST_SECRET = 8;

function secrets(): PersonalValue[] {
  const found = Object.entries(process.env).filter(
    ([name, value]) => SECRET.test(name) && value !== undefined && value.length >= SHORTEST_SECRET,
  );
  return valuesOf(
    'secret',
    found.map(([, value]) => value),
  );
}
