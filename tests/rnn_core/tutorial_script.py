# The tutorial as its readers type it. test_tutorial.py runs this text with `keras` replaced by `rnn_core`.
# ruff: noqa: I001, NPY002
import pandas as pd
import numpy as np
import matplotlib.pyplot as plt
from keras.models import Sequential
from keras.layers import Dense, SimpleRNN

step = 4
N = 1000
Tp = 800

# a sine with noise
t = np.arange(0, N)
x = np.sin(0.02 * t) + 2 * np.random.rand(N)
df = pd.DataFrame(x)
df.head()

plt.plot(df)
plt.show()

# train and test parts
values = df.values
train, test = values[0:Tp, :], values[Tp:N, :]

# repeat the last value, so that every sample starts a window
test = np.append(test, np.repeat(test[-1,], step))
train = np.append(train, np.repeat(train[-1,], step))


# windows of `step` values, and the value after each
def convertToMatrix(data, step):
    X, Y = [], []
    for i in range(len(data) - step):
        d = i + step
        X.append(data[i:d,])
        Y.append(data[d,])
    return np.array(X), np.array(Y)


trainX, trainY = convertToMatrix(train, step)
testX, testY = convertToMatrix(test, step)
trainX = np.reshape(trainX, (trainX.shape[0], 1, trainX.shape[1]))
testX = np.reshape(testX, (testX.shape[0], 1, testX.shape[1]))

# the network
model = Sequential()
model.add(SimpleRNN(units=32, input_shape=(1, step), activation="relu"))
model.add(Dense(8, activation="relu"))
model.add(Dense(1))
model.compile(loss="mean_squared_error", optimizer="rmsprop")
model.summary()

# train, predict, score
model.fit(trainX, trainY, epochs=100, batch_size=16, verbose=2)
trainPredict = model.predict(trainX)
testPredict = model.predict(testX)
predicted = np.concatenate((trainPredict, testPredict), axis=0)

trainScore = model.evaluate(trainX, trainY, verbose=0)
print(trainScore)

# the series and the prediction
index = df.index.values
plt.plot(index, df)
plt.plot(index, predicted)
plt.axvline(df.index[Tp], c="r")
plt.show()
