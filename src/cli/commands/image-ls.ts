import { defineCommand } from '../command.ts';
import { listImageFiles } from './image-files.ts';
import { imageListFlags, printImages } from './images.ts';

/** `docker image ls`, and with a second argument the files of one image. */
export const imageLs = defineCommand({
  short: 'List images, or the files of an image',
  usage: '[REPOSITORY[:TAG] [PATH]]',
  count: [0, 2],
  aliases: ['image ls', 'image list', 'images'],
  flags: imageListFlags,
  async run(session, { flags, args }) {
    const [image, path] = args;
    if (image !== undefined && path !== undefined) await listImageFiles(session, image, path, flags.format);
    else await printImages(session, flags, args);
    return 0;
  },
});
