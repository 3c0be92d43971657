import type { DroppedFile } from "../../protocol.ts";

/** All files of what was dropped, those in folders too, by their paths. */
export async function droppedFiles({ items }: DataTransfer): Promise<DroppedFile[]> {
  // An entry can only be asked for while the event is handled.
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return (await Promise.all(entries.map(filesIn))).flat();
}

async function filesIn(entry: FileSystemEntry): Promise<DroppedFile[]> {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)); // by the line before
    return [{ path, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader(); // what is no file is a folder
  const found: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(filesIn))).flat();
}
