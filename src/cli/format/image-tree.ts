import { instructionText } from '../../oci/instruction-text.ts';
import { shortenId } from '../../oci/short-id.ts';
import type { ImageNode, ImageTree, LayerNode } from '../../wire/insight.ts';
import { humanSize } from './human.ts';
import { ellipsis } from './words.ts';

/**
 * Layers with what stands on them, and images with their names, as an indented tree. A layer that is alone on another one
 * is not indented further.
 */
export function textTree(tree: ImageTree): string {
  const { layersOn, imagesOn } = byChain(tree);
  const lines: string[] = [];
  const show = (chain: string, indent: string) => {
    const images = imagesOn.get(chain) ?? [];
    const layers = layersOn.get(chain) ?? [];
    const isStraight = chain === '' || (images.length === 0 && layers.length === 1);
    for (const [index, image] of images.entries()) {
      const isLast = index === images.length - 1 && layers.length === 0;
      lines.push(`${indent}${chain === '' ? '' : isLast ? '└─ ' : '├─ '}${imageText(image)}\n`);
    }
    for (const [index, layer] of layers.entries()) {
      const isLast = index === layers.length - 1;
      lines.push(`${indent}${isStraight ? '' : isLast ? '└─ ' : '├─ '}${layerText(layer)}\n`);
      show(layer.Chain, `${indent}${isStraight ? '' : isLast ? '   ' : '│  '}`);
    }
  };
  show('', '');
  return lines.join('');
}

/** The same as a graph for Graphviz: boxes are layers, ellipses images. https://graphviz.org/doc/info/lang.html */
export function dotGraph({ Layers, Images }: ImageTree): string {
  const lines = Layers.flatMap((layer) => {
    const label = [shortenId(layer.Layer), humanSize(layer.Size), ellipsis(instructionText(layer.CreatedBy), 40)];
    const node = `  ${quote([layer.Chain])} [shape=box, label=${quote(label)}];\n`;
    return layer.Parent === '' ? [node] : [node, edge(layer.Parent, layer.Chain)];
  });
  for (const image of Images) {
    const name = image.Names.length === 0 ? ['<none>'] : image.Names;
    const label = quote([...name, shortenId(image.Id), humanSize(image.Size)]);
    lines.push(`  ${quote([image.Id])} [shape=ellipse, style=filled, fillcolor=lightblue, label=${label}];\n`);
    if (image.Chain !== '') lines.push(edge(image.Chain, image.Id));
  }
  return `digraph images {\n  node [fontname=monospace, fontsize=10];\n${lines.join('')}}\n`;
}

function byChain({ Layers, Images }: ImageTree) {
  const layersOn = Map.groupBy(Layers, ({ Parent }) => Parent);
  const imagesOn = Map.groupBy(Images, ({ Chain }) => Chain);
  return { layersOn, imagesOn };
}

function imageText({ Id, Names, Size }: ImageNode): string {
  return `${Names.length === 0 ? '<none>' : Names.join(', ')} (${shortenId(Id)}, ${humanSize(Size)})`;
}

function layerText({ Layer, Size, CreatedBy }: LayerNode): string {
  return `${shortenId(Layer)} ${humanSize(Size)} ${ellipsis(instructionText(CreatedBy), 60)}`.trimEnd();
}

function edge(from: string, to: string): string {
  return `  ${quote([from])} -> ${quote([to])};\n`;
}

/** A quoted string of one line or several. */
function quote(lines: readonly string[]): string {
  return `"${lines.map((line) => line.replace(/["\\]/g, '\\$&')).join('\\n')}"`;
}
