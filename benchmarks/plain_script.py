"""The report as one script, the way a notebook on Kaggle has it: no maskkit, no cache.

usage: python benchmarks/plain_script.py PHOTOS WEIGHTS OUT

PHOTOS holds a folder for each class, WEIGHTS is a state dict of ResNet18, OUT gets the figures. 100 photos of each
class, 80 % of them for training; every batch of every epoch passes the whole network.
"""

import random
import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import torch
from PIL import Image
from sklearn.metrics import ConfusionMatrixDisplay, classification_report, confusion_matrix
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import models, transforms

FORMATS = ("PNG", "JPEG", "WEBP")  # what the photos may be; Pillow knows others that are not worth the risk
PER_CLASS, EPOCHS, BATCH_SIZE, LEARNING_RATE = 100, 10, 16, 0.001


class Faces(Dataset):
    def __init__(self, rows, transform):
        self.rows, self.transform = rows, transform

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        path, label = self.rows[index]
        return self.transform(Image.open(path, formats=FORMATS).convert("RGB")), label


def main(photos, weights, out):
    random.seed(0)
    torch.manual_seed(0)
    folders = sorted(path for path in Path(photos).iterdir() if path.is_dir())
    train, val = [], []
    for label, folder in enumerate(folders):
        rows = [(path, label) for path in random.sample(sorted(folder.iterdir()), PER_CLASS)]
        train += rows[: PER_CLASS * 4 // 5]
        val += rows[PER_CLASS * 4 // 5 :]
    normalise = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    transform = transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor(), normalise])
    loaders = {
        "train": DataLoader(Faces(train, transform), BATCH_SIZE, shuffle=True),
        "val": DataLoader(Faces(val, transform), BATCH_SIZE),
    }
    network = models.resnet18()
    network.load_state_dict(torch.load(weights, weights_only=True))
    for weight in network.parameters():
        weight.requires_grad = False
    network.fc = nn.Linear(network.fc.in_features, len(folders))
    criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(network.fc.parameters(), lr=LEARNING_RATE)
    history, best, kept = {f"{name} {what}": [] for name in loaders for what in ("loss", "accuracy")}, -1.0, {}
    for epoch in range(EPOCHS):
        for name, loader in loaders.items():
            network.train(name == "train")
            loss_sum, correct = 0.0, 0
            with torch.set_grad_enabled(name == "train"):
                for images, labels in loader:
                    optimizer.zero_grad()
                    logits = network(images)
                    loss = criterion(logits, labels)
                    if name == "train":
                        loss.backward()
                        optimizer.step()
                    loss_sum += loss.item() * len(labels)
                    correct += (logits.argmax(1) == labels).sum().item()
            history[f"{name} loss"].append(loss_sum / len(loader.dataset))
            history[f"{name} accuracy"].append(correct / len(loader.dataset))
        print(f"epoch {epoch + 1}: validation accuracy {history['val accuracy'][-1]:.3f}")
        if history["val accuracy"][-1] > best:
            best, kept = history["val accuracy"][-1], {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(kept)
    network.eval()
    with torch.no_grad():
        answers = [(network(images).argmax(1), labels) for images, labels in loaders["val"]]
    predicted, true = (torch.cat(part).tolist() for part in zip(*answers, strict=True))
    names = [folder.name for folder in folders]
    print(classification_report(true, predicted, target_names=names))
    draw(history, confusion_matrix(true, predicted), names, val, predicted, Path(out))
    torch.save(network.state_dict(), Path(out) / "model.pth")


def draw(history, matrix, names, val, predicted, out):
    out.mkdir(parents=True, exist_ok=True)
    fig, axes = plt.subplots(1, 2, figsize=(10, 4))
    for axis, what in zip(axes, ("loss", "accuracy"), strict=True):
        for part in ("train", "val"):
            axis.plot(history[f"{part} {what}"], label=part)
        axis.set(title=what, xlabel="epoch")
        axis.legend()
    fig.savefig(out / "curves.png")
    ConfusionMatrixDisplay(matrix, display_labels=names).plot().figure_.savefig(out / "confusion.png")
    fig, axes = plt.subplots(2, 5, figsize=(12, 6))
    for axis, (path, _), label in zip(axes.flat, val[:: len(val) // 10], predicted[:: len(val) // 10], strict=False):
        axis.imshow(Image.open(path, formats=FORMATS).convert("RGB"))
        axis.set_title(names[label])
        axis.axis("off")
    fig.savefig(out / "predictions.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
