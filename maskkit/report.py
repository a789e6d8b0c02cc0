"""The numbers of the report, *Deteksi Penggunaan Masker* (June 2025); they stand nowhere else in the code."""

REPORT_ARCH = "resnet18"
REPORT_PARTS = (160, 40)  # photos for training and validation
REPORT_TRAINABLE = 1026  # weights that learn: a Linear(512, 2)
REPORT_RECIPE = {"per_class": 100, "epochs": 10, "batch_size": 16, "learning_rate": 0.001}
REPORT_BEST = (39, 40)  # photos right in the best epoch, of the validation photos
REPORT_ACCURACY = REPORT_BEST[0] / REPORT_BEST[1]
REPORT_CONFUSION = ((20, 0), (1, 19))  # rows true, columns predicted, classes in the order of REPORT_CLASSES
