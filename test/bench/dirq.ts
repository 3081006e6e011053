// The queues, against the system calls that they cannot do without, and against the library in Python.
import { NormalQueue, SimpleQueue, type DirQueue, type Fields } from "@spoolwire/dirq";
import { removeDirectory } from "../helpers/broker.js";
import { rate, type Bench, type Contest, type Place, type Rates } from "./bench.js";
import { bare } from "./dirq-bare.js";
import { hasPython, python } from "./dirq-python.js";
import { makeDirectory, mountDisk, places } from "./place.js";

const body = Buffer.alloc(100, "x");
const schema = { body: "binary" };

/** A queue that is filled has so many times the elements that are then added. */
const FILLED = 10;

export const dirq: Bench = {
  name: "dirq",
  summary: "add, and take (list, lock, get, remove), 100 bytes, in memory and on a disk with a journal",
  size: 2000,
  rounds: 9,
  places,
  *contests(size) {
    using mounted = mountDisk();
    const [first, ...others] = places;
    for (const place of mounted && first ? [first, mounted] : [first, ...others]) {
      if (!place) continue;
      yield simple(place, size);
      yield durable(place, size);
      yield normal(place, size);
      yield* filled(place, size);
    }
  },
};

/** Do something in a new directory. */
async function inNew(place: Place, work: (directory: string) => Rates | Promise<Rates>): Promise<Rates> {
  const directory = makeDirectory(place);
  try {
    return await work(directory);
  } finally {
    removeDirectory(directory);
  }
}

/** Add so many elements, then take all of them. */
async function addAndTake<Element>(
  queue: DirQueue<Element>,
  size: number,
  { element, isWhole }: { element: Element; isWhole: (element: Element) => boolean },
): Promise<Rates> {
  const add = await rate(size, () => {
    for (let index = 0; index < size; index++) queue.add(element);
  });
  let taken = 0;
  const take = await rate(size, () => {
    for (const name of queue) {
      if (!queue.lock(name)) continue;
      if (isWhole(queue.get(name))) taken++;
      queue.remove(name);
    }
  });
  if (taken !== size) throw new Error(`Took ${taken} elements of ${size}`);
  return { add, take };
}

function simple(place: Place, size: number): Contest {
  const work = { element: body, isWhole: (element: string | Uint8Array) => element.length === body.length };
  return {
    name: `${place.fileSystem} simple`,
    unit: "elements/s",
    ours: () => inNew(place, (path) => addAndTake(new SimpleQueue({ path }), size, work)),
    baselines: {
      "system calls": () => inNew(place, (path) => bare(path, size, body)),
      ...(hasPython && { "python-dirq": () => inNew(place, (path) => python("simple", path, size)) }),
    },
  };
}

/** Ours survives a power cut, theirs does not: theirs is not slowed by what it does not do. */
function durable(place: Place, size: number): Contest {
  return {
    name: `${place.fileSystem} simple durable`,
    unit: "elements/s",
    ours: () =>
      inNew(place, async (path) => {
        const queue = new SimpleQueue({ path, durability: "full" });
        const elements = Array.from({ length: size }, () => body);
        return { add: await rate(size, () => queue.addMany(elements)) };
      }),
    baselines: {
      ...(hasPython && {
        "python-dirq, not synced": () => inNew(place, (path) => python("simple", path, size)),
      }),
    },
  };
}

function normal(place: Place, size: number): Contest {
  const isWhole = (element: Fields) => (element.body as Buffer).length === body.length;
  return {
    name: `${place.fileSystem} normal`,
    unit: "elements/s",
    ours: () =>
      inNew(place, (path) =>
        addAndTake<Fields>(new NormalQueue({ path, schema }), size, { element: { body }, isWhole }),
      ),
    baselines: {
      ...(hasPython && { "python-dirq": () => inNew(place, (path) => python("normal", path, size)) }),
    },
  };
}

/** Adding must not get slower as a directory fills. */
function* filled(place: Place, size: number): Generator<Contest> {
  const directory = makeDirectory(place);
  const maxelts = 4 * FILLED * size;
  const open = (path: string) => new NormalQueue({ path, schema, maxelts });
  const addAndRemove = async (path: string): Promise<Rates> => {
    const queue = open(path);
    // The first one looks at the directory, as one a second does.
    const names = [queue.add({ body })];
    const add = await rate(size, () => {
      for (let index = 0; index < size; index++) names.push(queue.add({ body }));
    });
    for (const name of names) {
      queue.lock(name);
      queue.remove(name);
    }
    return { add };
  };
  try {
    const queue = open(directory);
    for (let index = 0; index < FILLED * size; index++) queue.add({ body });
    yield {
      name: `${place.fileSystem} normal with ${FILLED * size} elements`,
      unit: "elements/s",
      ours: () => addAndRemove(directory),
      baselines: {
        "ours, empty": () => inNew(place, addAndRemove),
        ...(hasPython && { "python-dirq": () => python("filled", directory, size, maxelts) }),
      },
    };
  } finally {
    removeDirectory(directory);
  }
}
