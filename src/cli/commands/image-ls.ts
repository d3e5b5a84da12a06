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
  async run(session, { flags, given, args, path: words }) {
    const [image, path] = args;
    if (image === undefined || path === undefined) await printImages(session, flags, args);
    else if ([...given].some((flag) => flag !== 'format')) {
      session.stderr.write(`strake: of the flags of 'strake ${words}' only --format goes with a path\n`);
      return 125;
    } else await listImageFiles(session, image, path, flags.format);
    return 0;
  },
});
