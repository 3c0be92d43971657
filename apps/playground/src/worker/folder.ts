/// <reference lib="dom" />
/// <reference lib="dom.asynciterable" />

/** A folder of files by their paths, "checkpoints/latest". */
export interface Folder {
  /** Undefined where there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Replace a file as one. */
  write(path: string, content: string | Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** Remove a file or a folder; nothing where there is none. */
  remove(path: string): Promise<void>;
  /** Paths of all files. */
  list(): Promise<string[]>;
}

/** Folders by name where the browser keeps none: they last as long as the worker does. */
const unkept = new Map<string, Folder>();

/**
 * A folder of the browser's own storage, which outlives the page; in memory where the browser gives none, as in some private windows.
 * Made where it is not there.
 */
export async function openFolder(name: string): Promise<Folder> {
  try {
    const root = await navigator.storage.getDirectory();
    return keptFolder(await root.getDirectoryHandle(name, { create: true }));
  } catch {
    const folder = unkept.get(name) ?? memoryFolder();
    unkept.set(name, folder);
    return folder;
  }
}

/** Files in memory. */
export function memoryFolder(): Folder {
  const files = new Map<string, Uint8Array>();
  return {
    read: async (path) => files.get(path),
    async write(path, content) {
      files.set(path, await wholeOf(content));
    },
    async remove(path) {
      for (const file of files.keys()) if (file === path || file.startsWith(`${path}/`)) files.delete(file);
    },
    list: async () => [...files.keys()],
  };
}

function keptFolder(root: FileSystemDirectoryHandle): Folder {
  const parentOf = async (path: string, create: boolean) => {
    const [name, ...folders] = path.split("/").reverse() as [string, ...string[]];
    let folder = root;
    for (const part of folders.reverse()) folder = await folder.getDirectoryHandle(part, { create });
    return { folder, name };
  };
  return {
    async read(path) {
      try {
        const { folder, name } = await parentOf(path, false);
        const file = await (await folder.getFileHandle(name)).getFile();
        return new Uint8Array(await file.arrayBuffer());
      } catch (error) {
        return whereMissing(error);
      }
    },
    async write(path, content) {
      const { folder, name } = await parentOf(path, true);
      const bytes = await wholeOf(content);
      // A stream replaces the file when it is closed. Safari before 26 has none: there only a worker writes, in place.
      const handle = await folder.getFileHandle(name, { create: true });
      if ("createWritable" in handle) {
        const stream = await handle.createWritable();
        await stream.write(bytes);
        await stream.close();
        return;
      }
      const access = await (handle as FileSystemFileHandle & InPlace).createSyncAccessHandle();
      access.truncate(0);
      access.write(bytes);
      access.flush();
      access.close();
    },
    async remove(path) {
      try {
        const { folder, name } = await parentOf(path, false);
        await folder.removeEntry(name, { recursive: true });
      } catch (error) {
        whereMissing(error);
      }
    },
    list: () => pathsIn(root, ""),
  };
}

/** What the DOM's types say of workers alone. */
interface InPlace {
  createSyncAccessHandle(): Promise<{
    truncate(size: number): void;
    write(bytes: Uint8Array): number;
    flush(): void;
    close(): void;
  }>;
}

async function pathsIn(folder: FileSystemDirectoryHandle, prefix: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const [name, handle] of folder.entries())
    if (handle.kind === "file") paths.push(`${prefix}${name}`);
    else paths.push(...(await pathsIn(handle as FileSystemDirectoryHandle, `${prefix}${name}/`))); // by its kind
  return paths;
}

function whereMissing(error: unknown): undefined {
  if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
  throw error;
}

async function wholeOf(content: string | Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof content === "string") return new TextEncoder().encode(content);
  if (content instanceof Uint8Array) return content.slice();
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece.slice());
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
