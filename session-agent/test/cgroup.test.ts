import assert from 'node:assert/strict';
import { keyedNumber, parseOwnCgroups, parseProcesses } from '../src/cgroup/cgroup-file.ts';
import { hierarchiesOf } from '../src/cgroup/hierarchies.ts';
import { folderOf, parseCgroupMounts } from '../src/cgroup/mounts.ts';
import { placesFor } from '../src/cgroup/place.ts';
import { v1 } from '../src/cgroup/v1.ts';
import { v2 } from '../src/cgroup/v2.ts';

/** A container of a pod on v1: its own mounts, which show nothing above it, and the node's as a hostPath volume. */
const V1_POD = {
  cgroup:
    '8:pids:/kubepods/pod1/c1\n4:memory:/kubepods/pod1/c1\n2:cpu,cpuacct:/kubepods/pod1/c1\n1:name=systemd:/kubepods/pod1/c1\n0::/\n',
  mountinfo: `
30 25 0:26 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory
31 25 0:27 /kubepods/pod1/c1 /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct
32 25 0:28 /kubepods/pod1/c1 /sys/fs/cgroup/pids ro,nosuid - cgroup cgroup rw,pids
40 25 0:26 / /host/cgroup/memory rw shared:9 - cgroup cgroup rw,memory
41 25 0:27 / /host/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
42 25 0:28 / /host/cgroup/pids rw shared:9 - cgroup cgroup rw,pids
43 25 0:29 / /proc rw - proc proc rw
`,
};
const V2_POD = {
  cgroup: '0::/kubepods/pod1/c1\n',
  mountinfo: `
30 25 0:26 /kubepods/pod1/c1 /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw
40 25 0:26 / /host/with\\040blank rw - cgroup2 cgroup2 rw,nsdelegate
`,
};

const hierarchies = ({ cgroup, mountinfo }: typeof V1_POD) =>
  hierarchiesOf(parseOwnCgroups(cgroup), parseCgroupMounts(mountinfo));

describe('the files of cgroups', () => {
  it('name our own, in paths with colons too', () => {
    assert.deepEqual(parseOwnCgroups('3:cpu,cpuacct:/a:b\n2:name=systemd:/x\n0::/\n'), [
      { controllers: ['cpu', 'cpuacct'], path: '/a:b' },
      { controllers: [], path: '/' },
    ]);
    assert.deepEqual(parseOwnCgroups(''), []);
  });

  it('have numbers behind keys', () => {
    const events = 'low 0\noom 1\noom_kill 2\noom_group_kill 3\n';
    assert.equal(keyedNumber(events, 'oom_kill'), 2);
    assert.equal(keyedNumber(events, 'oom_kil'), undefined);
  });

  it('list processes, of which none of another namespace, and never the first one, is signalled', () => {
    assert.deepEqual(parseProcesses('0\n1\n42\n\n'), [42]);
  });

  it('are mounted where mountinfo says, escaped', () => {
    assert.deepEqual(parseCgroupMounts(V2_POD.mountinfo).at(1), {
      ...{ version: 'v2', controllers: [], root: '/', point: '/host/with blank' },
    });
    assert.deepEqual(parseCgroupMounts(V1_POD.mountinfo).at(1)?.controllers, ['cpu', 'cpuacct']);
  });

  it('show a mount’s own cgroups and no others', () => {
    const mount = { version: 'v1', controllers: [], root: '/pod1/c1', point: '/m' } as const;
    assert.equal(folderOf(mount, '/pod1/c1'), '/m');
    assert.equal(folderOf(mount, '/pod1/c1/x'), '/m/x');
    assert.equal(folderOf(mount, '/pod1'), undefined);
    assert.equal(folderOf(mount, '/pod1/c12'), undefined);
  });
});

describe('the place of the sessions’ cgroups', () => {
  it('is, demanded on v1, below the container’s in every hierarchy, by the mounts that are the node’s', () => {
    const [place, ...others] = placesFor('Delegate', hierarchies(V1_POD), 'own');
    assert.deepEqual(others, []);
    assert.deepEqual(
      [...(place?.sessions ?? [])],
      [
        ['memory', '/host/cgroup/memory/kubepods/pod1/c1/sessions'],
        ['cpu', '/host/cgroup/cpu,cpuacct/kubepods/pod1/c1/sessions'],
        ['pids', '/host/cgroup/pids/kubepods/pod1/c1/sessions'],
        ['cpuacct', '/host/cgroup/cpu,cpuacct/kubepods/pod1/c1/sessions'],
      ],
    );
    assert.equal(place?.path, '/kubepods/pod1/c1');
  });

  it('is one folder on v2', () => {
    const [place] = placesFor('Privileged', hierarchies(V2_POD), 'own');
    assert.equal(place?.version, 'v2');
    assert.equal(place?.isTemporary, false);
    assert.deepEqual([...new Set(place?.sessions.values())], ['/host/with blank/kubepods/pod1/c1/sessions']);
  });

  it('is by the container’s own mount where that is all there is', () => {
    const unseen = { ...V2_POD, mountinfo: V2_POD.mountinfo.split('\n').slice(0, 2).join('\n') };
    const [place] = placesFor('Privileged', hierarchies(unseen), 'own');
    assert.deepEqual([...new Set(place?.sessions.values())], ['/sys/fs/cgroup/sessions']);
    assert.equal(place?.path, '', 'nobody else could know it');
  });

  it('is a folder that goes with us where nobody demands one', () => {
    const [place] = placesFor(undefined, hierarchies(V2_POD), 'own');
    assert.equal(place?.isTemporary, true);
    assert.deepEqual([...new Set(place?.sessions.values())], ['/host/with blank/kubepods/pod1/c1/own']);
  });

  it('is nowhere where no mount shows our cgroup, and where none is wanted', () => {
    assert.deepEqual(placesFor('Delegate', hierarchies({ ...V2_POD, mountinfo: '' }), 'own'), []);
    assert.deepEqual(placesFor('None', hierarchies(V2_POD), 'own'), []);
  });
});

describe('the limits of a cgroup', () => {
  const limits = { memoryBytes: 268_435_456, cores: 0.5, processes: 64 };
  const written = (files: ReturnType<typeof v2.limitFiles>) => files.map(({ file, value }) => `${file}=${value}`);

  it('are written so on v2', () => {
    assert.deepEqual(written(v2.limitFiles(limits)), [
      ...['memory.swap.max=0', 'memory.oom.group=1', 'memory.max=268435456', 'cpu.max=50000 100000', 'pids.max=64'],
    ]);
  });

  it('are written so on v1, memory before memory with swap', () => {
    assert.deepEqual(written(v1.limitFiles(limits)), [
      ...['memory.limit_in_bytes=268435456', 'memory.memsw.limit_in_bytes=268435456'],
      ...['cpu.cfs_period_us=100000', 'cpu.cfs_quota_us=50000', 'pids.max=64'],
    ]);
  });

  it('give a cpu at least what the kernel takes', () => {
    assert.ok(written(v1.limitFiles({ ...limits, cores: 0.001 })).includes('cpu.cfs_quota_us=1000'));
  });

  it('are counted in each version’s units', () => {
    assert.equal(v2.cpuMs.read('usage_usec 1500\nuser_usec 1\n'), 1.5);
    assert.equal(v1.cpuMs.read('1500000\n'), 1.5);
  });
});
